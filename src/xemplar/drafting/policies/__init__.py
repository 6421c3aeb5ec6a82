"""Ways from a film's vector to the lines of a draft; a recipe's assembly names one."""
