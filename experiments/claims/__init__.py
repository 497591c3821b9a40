"""The study's twelve claims, each checked against its published numbers, its defects, and our own runs."""
