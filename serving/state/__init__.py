"""What people and machines may change, kept in a database of its own: users, keys, the audit log."""
