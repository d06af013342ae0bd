-- kind: predictions, actuals, injuries, lines
-- about: Our own columns, as the file gives them (the default).
SELECT * FROM {rows}
