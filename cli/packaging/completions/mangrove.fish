mangrove completions fish | source
