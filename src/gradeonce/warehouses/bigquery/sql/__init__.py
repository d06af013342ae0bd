"""The statements that only BigQuery needs, in files beside this one."""
