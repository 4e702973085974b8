/**
 * What is made of an object, made once for it and kept as long as it is. For objects that never change, as all in a
 * ledger: then what was made of one stays true of it.
 */
export function onceEach<Given extends object, Made>(
  make: (given: Given) => Made,
): (given: Given) => Made {
  const made = new WeakMap<Given, Made>();
  return (given) => {
    const known = made.get(given);
    if (known !== undefined) return known;
    const fresh = make(given);
    made.set(given, fresh);
    return fresh;
  };
}
