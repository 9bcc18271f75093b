#!/usr/bin/env bash
# openapi-typescript 7.13.0 with TypeScript 5.9.3: a schema that may be an array of itself, such as that of any JSON value,
# becomes a type that TypeScript refuses: TS2502, "is referenced directly or indirectly in its own type annotation".
#
# The generated `components` is an interface, and `Json: null | components["schemas"]["Json"][] | …` looks the property up
# while its type is being made. TypeScript defers that for members of an object type, and for arrays in an alias of a type,
# but not for an array type in a property of an interface. So an object of itself works, and an array does not.
# The way around: put an alias in its place, `type Json = null | … | Json[] | { [key: string]: Json }`.
#
# Seen:
#   an object of itself:  compiles
#   an array of itself:   error TS2502
#   with the alias:       compiles
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y > /dev/null
npm install --no-audit --no-fund --silent openapi-typescript@7.13.0 typescript@5.9.3 > /dev/null
head='{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{},"components":{"schemas":{"Json":{"anyOf":[{"type":"null"},'
echo "$head"'{"type":"object","additionalProperties":{"$ref":"#/components/schemas/Json"}}]}}}}' > object.json
echo "$head"'{"type":"array","items":{"$ref":"#/components/schemas/Json"}}]}}}}' > array.json
check() {
  if said=$(npx tsc --noEmit --strict "$1" 2>&1); then echo "compiles"; else echo "error $(grep -o 'TS[0-9]*' <<< "$said" | head -1)"; fi
}
npx openapi-typescript object.json --output object.ts > /dev/null 2>&1
echo "an object of itself:  $(check object.ts)"
npx openapi-typescript array.json --output array.ts > /dev/null 2>&1
echo "an array of itself:   $(check array.ts)"
{ echo 'type Json = null | Json[];'; sed 's/Json: null | components\["schemas"\]\["Json"\]\[\]/Json: Json/' array.ts; } > alias.ts
echo "with the alias:       $(check alias.ts)"
