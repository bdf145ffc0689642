import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { CallPage } from "./CallPage.tsx";
import { Failure } from "./components/Failure.tsx";
import { problems } from "./problems.ts";
import { linkIn } from "./ticket.ts";
import "../theme.css";
import "./styles/layout.css";
import "./styles/orb.css";
import "./styles/controls.css";
import "./styles/cards.css";

const link = linkIn(location.search);
const root = document.getElementById("root");
if (!root) throw new Error("the page has no #root");
createRoot(root, { onUncaughtError: showFailure }).render(
  <StrictMode>{link ? <CallPage link={link} /> : <Failure problem={problems.noSite} />}</StrictMode>,
);

/** Instead of a blank page, where the page itself breaks. */
function showFailure(error: unknown): void {
  console.error(error);
  const { title, advice } = { title: "This page broke", advice: "Please load it again." };
  document.body.replaceChildren(
    Object.assign(document.createElement("main"), {
      className: "broken",
      role: "alert",
      textContent: `${title}. ${advice}`,
    }),
  );
}
