/** undici looks for Node's `Headers` when it is loaded, to know them from its own; a look is enough to load them. */
Reflect.deleteProperty(globalThis, 'Headers');
