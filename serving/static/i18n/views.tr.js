// Words of the forecast, overrides, scenarios and Excel.

export default {};
