// CPU time and memory of processes, read from /proc.
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';

const TICKS = 100;

function stat(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ').map(Number);
  return { pid, parent: fields[1], own: (fields[11] + fields[12]) / TICKS, ended: (fields[13] + fields[14]) / TICKS };
}

function all() {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(pid => { try { return [stat(Number(pid))]; } catch { return []; } });
}

/** The process of a service of this very topology: by the name of its program, and by a text in its environment. What runs or builds the program is another one. */
export function find(program, mark) {
  for (const { pid } of all()) {
    try {
      const names = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').map(part => path.basename(part, '.dll'));
      if (names.slice(0, 3).includes(program) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark)) return pid;
    } catch { /* it ended, or is somebody else's */ }
  }
  throw new Error(`no process of ${program} was found`);
}

/** A variable that a process was started with. */
export const variable = (pid, name) => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').find(entry => entry.startsWith(`${name}=`)).slice(name.length + 1);

/** A connection string that a process was started with, by its parts. */
export function connection(pid, name) {
  const text = variable(pid, `ConnectionStrings__${name}`);
  return Object.fromEntries(text.split(';').map(part => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]));
}

function tree(root) {
  const processes = all(), found = new Map();
  const add = pid => { for (const p of processes) if (p.parent === pid && !found.has(p.pid)) { found.set(p.pid, p); add(p.pid); } };
  const own = processes.find(p => p.pid === root);
  if (own) { found.set(root, own); add(root); }
  return [...found.values()];
}

/** CPU seconds of a process alone, and with everything it ever started and waited for. */
export function cpu(root) {
  const processes = tree(root);
  return { own: processes.find(p => p.pid === root).own, all: processes.reduce((sum, p) => sum + p.own + p.ended, 0) };
}

/** Megabytes that a process and its descendants hold: resident pages, and files that live in memory only, mapped or not. */
function megabytes(root) {
  let pages = 0, mapped = 0, files = 0;
  const seen = new Set();
  for (const { pid } of tree(root)) {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      const kilobytes = name => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(rollup)[1]) * 1024;
      const shared = kilobytes('Pss_Shmem');
      pages += kilobytes('Pss') - shared;
      mapped += shared;
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const open = `/proc/${pid}/fd/${fd}`;
        if (!readlinkSync(open).startsWith('/memfd:')) continue;
        const { ino, blocks } = statSync(open);
        if (!seen.has(ino)) { seen.add(ino); files += blocks * 512; }
      }
    } catch { /* it ended meanwhile */ }
  }
  // A mapped file's pages are among the shared ones already.
  return (pages + Math.max(mapped, files)) / 1024 / 1024;
}

/** Watches the memory of a process and its descendants; stop() gives the most that was seen. A look costs up to 20 ms of CPU, much of it within the process that is looked at: four a second are few enough. */
export function watch(root) {
  let most = megabytes(root);
  const timer = setInterval(() => { most = Math.max(most, megabytes(root)); }, 250);
  return { stop() { clearInterval(timer); return Math.max(most, megabytes(root)); } };
}
