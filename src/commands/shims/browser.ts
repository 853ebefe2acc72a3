/** The browser's build of `debug` looks at a console when it is loaded. It never writes to it. */
Object.assign(globalThis, { console: {} });
