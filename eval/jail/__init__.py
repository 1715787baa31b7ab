"""The inside of the sandbox: what runs in the child process (standard library only). eval/sandbox.py is the outside."""
