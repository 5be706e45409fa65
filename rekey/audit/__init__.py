"""Who reads the vaults: Key Vault's audit log, read once, judged by rules, told to people, remembered for rotations."""
