"""What a table is: contracts, the rules of each, and where each table lives. Imports nothing of ours."""
