import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

interface LockedPackage {
  readonly version?: string
  readonly resolved?: string
  readonly hasInstallScript?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const lock: { readonly packages: Readonly<Record<string, LockedPackage>> } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
const manifest: { readonly allowScripts: Readonly<Record<string, boolean>> } = JSON.parse(readFileSync('package.json', 'utf8'))
const packages = Object.entries(lock.packages).filter(([path]) => path !== '')

it('records no download address, so that any registry can be used', () => {
  expect(packages.filter(([, entry]) => entry.resolved !== undefined)).toEqual([])
})

it('has every optional package of every platform: npm 11 refuses to install otherwise', () => {
  const missing = packages.flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter(
      name => lock.packages[`${path}/node_modules/${name}`] === undefined && lock.packages[`node_modules/${name}`] === undefined
    )
  )
  expect(missing).toEqual([])
})

it('allows or forbids each install script', () => {
  const undecided = packages.filter(([path, entry]) => entry.hasInstallScript && manifest.allowScripts[nameOf(path)] === undefined)
  expect(undecided.map(([path]) => nameOf(path))).toEqual([])
})

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}
