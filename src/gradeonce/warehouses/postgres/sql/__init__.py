"""The statements of the PostgreSQL warehouse."""
