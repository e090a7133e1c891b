// The parts of Observable Plot that the report draws with; the rest stays out of the bundle.
export { plot, line, areaX, areaY, dot, cell, rect, ruleX, ruleY, text, tickX, tickY, link, axisX, axisY, gridX, gridY } from "@observablehq/plot";
