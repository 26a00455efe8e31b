/** The number after an option of the command line, or another one. */
export const numbers = options => (name, otherwise) => { const i = options.indexOf(name); return i < 0 ? otherwise : Number(options[i + 1]); };

export const quantile = (values, q) => { const sorted = values.toSorted((a, b) => a - b); return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)]; };
export const median = values => values.toSorted((a, b) => a - b)[values.length >> 1];
export const round = value => Math.round(value * 100) / 100;
