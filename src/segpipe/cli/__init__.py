"""What a person types: one module per verb, each a few lines that call a stage."""
