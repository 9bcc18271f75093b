/** The graph of an execution's commands: a node for each or, where there are many, for each name. Pure. */

import type { Command, CommandKind, CommandStatus } from "../api/types";
import { nameOf } from "../timeline/layout";
import { causesOf, taskOf } from "./causes";

export interface Node {
  id: string;
  label: string;
  kind: CommandKind;
  status: CommandStatus;
  /** The commands it stands for: one, or all that the same task code asked for under one name. */
  ids: string[];
  /** The first of these with the node's status: the one to look at. */
  lead: string;
}

export interface Graph {
  nodes: Node[];
  edges: [from: string, to: string][];
}

/** One node a command; past `most` commands, one node for all of the same name in the same kind of task. */
export function graphOf(commands: readonly Command[], most = 60): Graph {
  const gather = commands.length > most;
  const keys = new Map<string, string>();
  const nodes = new Map<string, Node>();
  for (const command of commands) {
    const key = gather ? command.id.replaceAll(/#\d+/g, "") : command.id;
    keys.set(command.id, key);
    const node = nodes.get(key);
    if (!node) {
      const label = gather ? (command.kind === "signal" ? `signal ${command.name}` : command.name) : inTask(command);
      nodes.set(key, { id: key, label, kind: command.kind, status: command.status, ids: [command.id], lead: command.id });
    } else {
      node.ids.push(command.id);
      if (worse(node.status, command.status) !== node.status) [node.status, node.lead] = [command.status, command.id];
    }
  }
  const edges = new Map<string, [string, string]>();
  for (const [id, causes] of causesOf(commands, gather ? 50 : Infinity)) {
    for (const cause of causes) {
      const edge: [string, string] = [keys.get(cause) ?? cause, keys.get(id) ?? id];
      if (edge[0] !== edge[1]) edges.set(edge.join("\n"), edge);
    }
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

const ORDER: readonly CommandStatus[] = ["FAILED", "RETRYING", "RUNNING", "OPEN", "CANCELLED", "SUCCEEDED"];
const worse = (a: CommandStatus, b: CommandStatus): CommandStatus => (ORDER.indexOf(a) <= ORDER.indexOf(b) ? a : b);

/** The name, after the innermost task that asked for it. */
function inTask(command: Command): string {
  const task = taskOf(command.id).split("/").at(-1);
  return task ? `${task} › ${nameOf(command)}` : nameOf(command);
}
