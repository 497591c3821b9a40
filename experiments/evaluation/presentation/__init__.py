"""What a finished evaluation shows: tables in the terminal, figures as files and in TensorBoard."""
