/** As much of node:events as commander has need of when it prints help: it keeps its listeners, and none is ever called. */
export class EventEmitter {
  on(): this {
    return this;
  }

  listenerCount(): number {
    return 0;
  }

  emit(): boolean {
    return false;
  }
}
