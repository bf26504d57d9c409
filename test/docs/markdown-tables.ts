import { readFileSync } from 'node:fs'

/** Rows of the tables of a page whose header begins with this cell; cells without the spaces around them. */
export function rowsOf(page: string, firstHeader: string): string[][] {
  const rows: string[][] = []
  let isSelected = false
  let isInside = false
  for (const line of readFileSync(page, 'utf8').split('\n')) {
    if (!line.startsWith('|')) {
      isInside = false
      continue
    }
    const cells = line.split('|').slice(1, -1)
    const trimmed = cells.map(cell => cell.trim())
    if (!isInside) isSelected = trimmed[0] === firstHeader
    else if (isSelected && !/^-+$/.test(trimmed[0] ?? '')) rows.push(trimmed)
    isInside = true
  }
  return rows
}

/** The texts in code font of a cell. */
export function codesIn(cell: string | undefined): string[] {
  return Array.from((cell ?? '').matchAll(/`([^`]+)`/g), ([, code]) => code ?? '')
}
