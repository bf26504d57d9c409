/** What the house knows of its own health. Open to everyone: names and numbers only, nothing secret. */
export interface Status {
  /** A worker has proved progress lately, or idles and answers; and texts can be tokenized. */
  isHealthy(): boolean
  /** New work can be taken: models loaded, texts can be tokenized, not draining. */
  isReady(): boolean
  detail(): Promise<Readonly<Record<string, string | number | boolean | null>>>
}
