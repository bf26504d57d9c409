import { invariant } from '../contract/invariant.ts'
import type { Family, ModelConfig } from '../families/definition/family.ts'
import { STANDARD_GGUF_NAMES } from '../families/definition/gguf-tensor-names.ts'
import type { Format, StoredOrder, TensorRow, TensorTable } from '../families/definition/tensor-table.ts'
import type { TensorFile } from '../weights/tensor-file.ts'
import { MatrixFinder } from './matrix-finder.ts'
import type { StoredMatrix } from './tensor-weights.ts'

/**
 * Finds the matrices of a model, by their names in the graph, in a file of tensors.
 *
 * @throws {ModelFileError} a tensor is missing, has a shape that does not match the hyperparameters, or is not used
 */
export function familyMatrices<Config extends ModelConfig>(
  family: Family<Config>,
  config: Config,
  file: TensorFile,
  format: Format
): ReadonlyMap<string, StoredMatrix> {
  const finder = new MatrixFinder(file)
  const names = [...storedNames(family, family.tensors(config), config.layers, file, format)]
  for (const [name, row, stored] of names) {
    const [rows, columns] = row.shape
    const order: StoredOrder = row.order?.[format] ?? { kind: 'rows' }
    finder.add(name, { tensorName: `${stored}.weight`, rows, columns, presence: row.presence ?? 'required', order })
    if (row.bias === undefined) continue
    finder.add(`${name}.bias`, {
      tensorName: `${stored}.bias`,
      rows: rows === 1 ? columns : rows,
      columns: 1,
      presence: row.bias,
      order: order.kind === 'transposed' ? { kind: 'rows' } : order
    })
  }
  const biases = names
    .filter(([, { bias }]) => bias === 'optional')
    .map(([name, , stored]) => [name.split('.')[1], `${stored}.bias`] as const)
  for (const ofLayer of Map.groupBy(biases, ([layer]) => layer).values()) finder.requireAllOrNone(ofLayer.map(([, bias]) => bias))
  finder.refuseUnused(family.title, family.redundantTensors)
  return finder.matrices
}

/** Expands the rows of a table to one per layer, each with its name in the graph and its name in the file. */
function* storedNames<Config extends ModelConfig>(
  { optionalPrefix: prefix }: Family<Config>,
  table: TensorTable,
  layers: number,
  file: TensorFile,
  format: Format
): Generator<[name: string, row: TensorRow, stored: string]> {
  const isBare = prefix !== undefined && !file.tensors.keys().some(name => name.startsWith(prefix))
  for (const [name, row] of Object.entries(table)) {
    const stored = format === 'hub' ? row.hub : (row.gguf ?? STANDARD_GGUF_NAMES[name])
    invariant(stored !== undefined, `${name} has no standard name in GGUF`)
    const found = isBare && stored.startsWith(prefix) ? stored.slice(prefix.length) : stored
    if (!name.includes('{l}')) yield [name, row, found]
    else for (let l = 0; l < layers; l++) yield [name.replace('{l}', `${l}`), row, found.replace('{l}', `${l}`)]
  }
}
