/** The ways to look at one execution. */

export type View = "timeline" | "graph" | "history" | "values";

const VIEWS: readonly [View, string][] = [
  ["timeline", "Timeline"],
  ["graph", "Graph"],
  ["history", "History"],
  ["values", "Input and result"],
];

export function Tabs({ view, to }: { view: View; to: (view: View) => string }) {
  return (
    <nav class="views" aria-label="Views of this execution">
      {VIEWS.map(([name, words]) => (
        <a key={name} href={to(name)} aria-current={view === name ? "page" : undefined}>
          {words}
        </a>
      ))}
    </nav>
  );
}
