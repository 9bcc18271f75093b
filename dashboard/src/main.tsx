import { render } from "preact";

import { App } from "./app";
import { returned } from "./api/returning";
import { listen } from "./lib/router";
import { applyTheme } from "./lib/theme";
import "./style/index.css";

applyTheme();
listen();
const root = document.getElementById("app");
void returned().then((stays) => {
  if (root) render(stays ? <App /> : <p class="handed-over">You have signed in. This window may be closed.</p>, root);
});
