/** Every span that the dashboard of a topology has kept. */
export async function readSpans(topology) {
  const answer = await fetch(`${topology.dashboard}/api/telemetry/spans?limit=200000`, { headers: { 'x-api-key': topology.dashboard_api_key } });
  if (!answer.ok) return [];
  const spans = [];
  const walk = node => {
    if (Array.isArray(node)) node.forEach(walk);
    else if (node && typeof node === 'object') Array.isArray(node.spans) ? spans.push(...node.spans) : Object.values(node).forEach(walk);
  };
  walk(await answer.json());
  return spans;
}

export const seconds = span => (Number(span.endTimeUnixNano) - Number(span.startTimeUnixNano)) / 1e9;
