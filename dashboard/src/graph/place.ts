/** Where the nodes of a graph stand, by dagre: from left to right, as time goes. Pure. */

import dagre from "@dagrejs/dagre";

import type { Graph, Node } from "./derive";

export const HEIGHT = 34;

export interface Placed {
  node: Node;
  x: number;
  y: number;
  width: number;
}

export interface Picture {
  nodes: Placed[];
  /** Each a line through points. */
  edges: { key: string; points: { x: number; y: number }[] }[];
  width: number;
  height: number;
}

const widthOf = (node: Node): number =>
  Math.min(260, 48 + 8 * (node.label.length + (node.ids.length > 1 ? String(node.ids.length).length + 3 : 0)));

export function picture(graph: Graph): Picture {
  const drawn = new dagre.graphlib.Graph();
  drawn.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 46, marginx: 12, marginy: 12 });
  drawn.setDefaultEdgeLabel(() => ({}));
  for (const node of graph.nodes) drawn.setNode(node.id, { width: widthOf(node), height: HEIGHT });
  for (const [from, to] of graph.edges) drawn.setEdge(from, to);
  dagre.layout(drawn);
  const size = drawn.graph();
  return {
    nodes: graph.nodes.map((node) => {
      const { x, y, width } = drawn.node(node.id);
      return { node, x: x - width / 2, y: y - HEIGHT / 2, width };
    }),
    edges: drawn.edges().map((edge) => ({ key: `${edge.v}\n${edge.w}`, points: drawn.edge(edge).points ?? [] })),
    width: Math.ceil(size.width ?? 0),
    height: Math.ceil(size.height ?? 0),
  };
}

/** A path through the points, rounded at each. */
export function curve(points: { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${first.x},${first.y}`;
  rest.forEach((point, index) => {
    const next = rest[index + 1];
    path += next ? `Q${point.x},${point.y} ${(point.x + next.x) / 2},${(point.y + next.y) / 2}` : `L${point.x},${point.y}`;
  });
  return path;
}
