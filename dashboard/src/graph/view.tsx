/** The graph of what led to what; a node opens its command. */

import { useMemo } from "preact/hooks";

import type { Command } from "../api/types";
import { Empty } from "../parts/note";
import { signOf } from "../parts/status";
import { graphOf, type Node } from "./derive";
import { curve, HEIGHT, picture } from "./place";

/** More than this many nodes is no picture any more, and takes long to lay out. */
const MOST = 300;

export function GraphView({ commands, picked, pick }: { commands: readonly Command[]; picked: string; pick: (id: string) => void }) {
  // Laid out again only when there is another node or edge, not when a status changes.
  const graph = useMemo(() => graphOf(commands), [commands]);
  const shape = JSON.stringify([graph.nodes.map((node) => [node.id, node.ids.length]), graph.edges]);
  const drawn = useMemo(() => (graph.nodes.length <= MOST ? picture(graph) : null), [shape]);
  if (!commands.length) {
    return (
      <Empty title="No commands">
        <p>A node shows here for each step, timer and signal as soon as the code asks for it.</p>
      </Empty>
    );
  }
  if (!drawn) {
    return (
      <Empty title="Too many different steps for a picture">
        <p>The timeline shows all {commands.length.toLocaleString("en")} commands.</p>
      </Empty>
    );
  }
  const gathered = graph.nodes.some((node) => node.ids.length > 1);
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  return (
    <section class="graph" aria-label="Graph">
      <p class="dim">
        Each command after those that it waited for, as tasks and times tell.
        {gathered && " Commands of one name are gathered; the number says how many."}
      </p>
      <div class="g-scroll" tabIndex={0} role="region" aria-label="Graph of commands">
        <div class="g-area" style={{ width: `${drawn.width}px`, height: `${drawn.height}px` }}>
          <svg width={drawn.width} height={drawn.height} aria-hidden="true">
            <defs>
              <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
                <path d="M0,0L8,4L0,8z" class="g-head" />
              </marker>
            </defs>
            {drawn.edges.map((edge) => (
              <path key={edge.key} class="g-edge" d={curve(edge.points)} marker-end="url(#arrow)" />
            ))}
          </svg>
          {drawn.nodes.map(({ node: { id }, x, y, width }) => {
            const node = nodes.get(id);
            return node && <Box key={id} {...{ node, x, y, width, pick }} picked={node.ids.includes(picked)} />;
          })}
        </div>
      </div>
    </section>
  );
}

interface BoxProps {
  node: Node;
  x: number;
  y: number;
  width: number;
  picked: boolean;
  pick: (id: string) => void;
}

function Box({ node, x, y, width, picked, pick }: BoxProps) {
  return (
    <button
      type="button"
      class={`g-node s-${node.status.toLowerCase()} k-${node.kind}${picked ? " picked" : ""}`}
      style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${HEIGHT}px` }}
      aria-pressed={picked}
      title={node.id}
      data-id={node.lead}
      onClick={() => pick(node.lead)}
    >
      <span class="sign" aria-hidden="true">
        {signOf(node.status)}
      </span>
      <span class="unseen">{node.status} </span>
      <span class="name">{node.label}</span>
      {node.ids.length > 1 && <span class="times">×{node.ids.length}</span>}
    </button>
  );
}
