/** What one client may cost, in time and in size. Tests take smaller ones. */

export interface WebLimits {
  /** For the headers of a request, and for a TLS handshake. */
  readonly headersTimeoutMs: number;
  /** For the whole request, with the body that nobody needs. */
  readonly requestTimeoutMs: number;
  /** For reading the answer. */
  readonly responseTimeoutMs: number;
  /** Between two requests on one connection. */
  readonly keepAliveTimeoutMs: number;
  /** How often Node looks for requests past their deadline. */
  readonly deadlineCheckMs: number;
  readonly maxHeaderBytes: number;
  /** At the most; the longest idle makes room for a new one. */
  readonly maxConnections: number;
  /** Requests at once on one HTTP/2 connection. */
  readonly maxStreams: number;
}

export const WEB_LIMITS: WebLimits = {
  // A scraper sends its headers in one packet; Node's own default is a minute.
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // More than any scrape_timeout that makes sense.
  responseTimeoutMs: 30_000,
  // Longer than two minutes, the longest scrape interval that the default `zero_hold` allows for, so that
  // a scraper keeps its connection and its TLS session from scrape to scrape.
  keepAliveTimeoutMs: 125_000,
  deadlineCheckMs: 1_000,
  // A scrape's headers are half a kilobyte; a token in a header fits too.
  maxHeaderBytes: 16 * 1024,
  // Far more than the scrapers, probes and browsers of one exporter.
  maxConnections: 512,
  maxStreams: 64,
};
