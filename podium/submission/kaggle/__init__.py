"""The way to Kaggle: a lock is exported as a notebook with its code and data, pushed, run there once, and fetched.

`export` claims the lock and writes the folders that the `kaggle` command uploads. The cells of the notebook call
`bootstrap`, which needs the standard library alone, and then `steps`.
"""
