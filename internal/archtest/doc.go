// Package archtest keeps the rules of the house as tests: who may import whom, what every package must say of itself,
// and that no code but the dispatcher reaches a tool's functions. It holds no code of the product.
package archtest
