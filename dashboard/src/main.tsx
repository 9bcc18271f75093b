import { render } from "preact";

import { App } from "./app";
import { listen } from "./lib/router";
import { applyTheme } from "./lib/theme";
import "./style/index.css";

applyTheme();
listen();
const root = document.getElementById("app");
if (root) render(<App />, root);
