source <(mangrove completions bash)
