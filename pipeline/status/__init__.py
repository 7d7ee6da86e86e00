"""How far a build, a derivation or a tagging is, told from its done marks alone."""
