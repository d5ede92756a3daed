// Which tenant has which colour: each its own while there are eight; else the largest seven, and one for the rest.

const MOST = 8;
export const REST = 8;

export class Palette {
  constructor(story) {
    const total = new Map(story.tenants.map((name) => [name, sum(story.history.held.get(name) ?? [])]));
    const ranked = [...total.keys()].sort((a, b) => total.get(b) - total.get(a));
    const own = new Set(story.tenants.length <= MOST ? ranked : ranked.slice(0, MOST - 1));
    this.numbers = new Map([...story.tenants].filter((name) => own.has(name)).map((name, n) => [name, n]));
    this.isFull = story.tenants.length > MOST;
  }

  number(name) {
    if (!this.numbers.has(name) && !this.isFull && this.numbers.size < MOST) this.numbers.set(name, this.numbers.size);
    return this.numbers.get(name) ?? REST;
  }

  color(name) { return `var(${variable(this.number(name))})`; }

  // [{kind, names}] from the bottom of a stack to its top.
  groups(names) {
    const groups = names.filter((name) => this.number(name) !== REST).map((name) => ({ kind: `f${this.number(name)}`, name, names: [name] }));
    const rest = names.filter((name) => this.number(name) === REST);
    if (rest.length) groups.push({ kind: `f${REST}`, name: rest.length === 1 ? rest[0] : `${rest.length} others`, names: rest });
    return groups;
  }
}

export const variable = (number) => (number === REST ? "--rest" : `--c${number}`);
export const sum = (values) => values.reduce((total, value) => total + value, 0);
