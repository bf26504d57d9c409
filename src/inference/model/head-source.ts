import type { MatrixFinder } from './matrix-finder.ts'

/** Where logits come from: the embedding, whatever else the file has; a matrix of their own; or whichever the file has. */
export type HeadSource = 'embedding' | 'own' | 'own-or-embedding'

/** Adds the head [vocabulary, hidden] as far as the model has one. */
export function addHead(finder: MatrixFinder, source: HeadSource, tensorName: string, rows: number, columns: number): void {
  if (source === 'embedding') finder.ignore(tensorName)
  else finder.add('head', { tensorName, rows, columns, presence: source === 'own' ? 'required' : 'optional' })
}
