"""What a run may use: accelerators, session lengths, weekly quota and the rules of a competition. The figures are data,
in the YAML files beside the modules that read them."""
