/**
 * The page: reads the data in it, and shows it.
 *
 * @module
 */
import { render } from "preact";
import { App } from "./app.tsx";
import { loadData } from "./load.ts";
import { startTheme } from "./theme.ts";

startTheme();
const place = document.getElementById("app");
if (place !== null) {
  try {
    const data = await loadData();
    place.textContent = "";
    render(<App data={data} />, place);
  } catch (error) {
    const text = document.createElement("p");
    text.textContent = `The report cannot be read: ${error}`;
    place.replaceChildren(text);
  }
}
