/**
 * What led to what. The API does not tell which results a command followed from, so it is read off the
 * tasks and times: a command follows those of its own task, of the tasks around it and of the tasks within
 * it, that had ended by the time it was asked for and that no other of these came after. Pure.
 */

import type { Command } from "../api/types";
import { secondsOrNull } from "../lib/time";

interface Timed {
  id: string;
  from: number;
  to: number;
}

/** A task's commands that have ended, by their ends; `latest` has the last start among the first so many. */
interface Ended {
  sorted: Timed[];
  latest: number[];
}

/** How many of a task's commands had ended by a moment, and the last start among these. */
interface Reached {
  task: string;
  count: number;
  latest: number;
}

export const taskOf = (id: string): string => (id.includes("/") ? id.slice(0, id.lastIndexOf("/")) : "");

/** The commands that each command follows, of which `most` are told; none for those that follow the start. */
export function causesOf(commands: readonly Command[], most = Infinity): Map<string, string[]> {
  const byTask = new Map<string, Timed[]>();
  for (const command of commands) {
    const mine = byTask.get(taskOf(command.id)) ?? [];
    mine.push(timed(command));
    byTask.set(taskOf(command.id), mine);
  }
  const ended = new Map([...byTask].map(([task, mine]) => [task, endedOf(mine)]));
  const within = withinOf([...byTask.keys()]);
  const causes = new Map<string, string[]>();
  for (const [task, mine] of byTask) {
    const near = [...around(task).filter((key) => ended.has(key)), task, ...(within.get(task) ?? [])];
    for (const command of mine) causes.set(command.id, lastBefore(command, near, ended, most));
  }
  return causes;
}

/** What has not happened is in no past. */
function timed(command: Command): Timed {
  return { id: command.id, from: secondsOrNull(command.asked_at ?? command.first_at) ?? Infinity, to: secondsOrNull(command.ended_at) ?? Infinity };
}

/** The tasks that a task was started in, from the workflow's own, "", inwards. */
function around(task: string): string[] {
  if (task === "") return [];
  const parts = task.split("/");
  return parts.map((_, count) => parts.slice(0, count).join("/"));
}

/** By task, all tasks that were started in it, at any depth. */
function withinOf(tasks: readonly string[]): Map<string, string[]> {
  const surrounding = new Map<string, string[]>();
  for (const task of tasks) {
    for (const outer of around(task)) {
      const mine = surrounding.get(outer);
      if (mine) mine.push(task);
      else surrounding.set(outer, [task]);
    }
  }
  return surrounding;
}

function endedOf(mine: readonly Timed[]): Ended {
  const sorted = mine.filter((command) => command.to < Infinity).sort((a, b) => a.to - b.to);
  const latest: number[] = [];
  for (const command of sorted) latest.push(Math.max(latest.at(-1) ?? -Infinity, command.from));
  return { sorted, latest };
}

/** Of the near tasks' commands that had ended before this one began, those that no other related one came after. */
function lastBefore(command: Timed, near: readonly string[], ended: Map<string, Ended>, most: number): string[] {
  const reached = near.map((task) => reach(task, ended.get(task) as Ended, command.from)).filter((each) => each.count > 0);
  const latestIn = new Map(reached.map((each) => [each.task, each.latest]));
  const latestWithin = new Map<string, number>();
  for (const each of reached) {
    for (const outer of around(each.task)) {
      latestWithin.set(outer, Math.max(latestWithin.get(outer) ?? -Infinity, each.latest));
    }
  }
  const causes: string[] = [];
  for (const { task, count, latest } of reached) {
    const outer = around(task).map((each) => latestIn.get(each) ?? -Infinity);
    const elsewhere = Math.max(latestWithin.get(task) ?? -Infinity, ...outer);
    const { sorted } = ended.get(task) as Ended;
    for (let index = count - 1; index >= 0 && causes.length < most; index--) {
      const other = sorted[index] as Timed;
      // Whoever ended before another began led to that one, not directly to this.
      if (other.to <= elsewhere || (other.to <= latest && other.from < latest)) break;
      if (other.id !== command.id) causes.push(other.id);
    }
  }
  return causes;
}

function reach(task: string, { sorted, latest }: Ended, moment: number): Reached {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as Timed).to <= moment) low = middle + 1;
    else high = middle;
  }
  return { task, count: low, latest: latest[low - 1] ?? -Infinity };
}
