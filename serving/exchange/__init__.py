"""Plans and forecasts out to spreadsheets, and plans in again: live links, workbooks."""
