"""How the tags of a catalog change when another model ships: flips at the threshold, shifts of scores, changes of rank."""
