package mdecore_test

func investigationOperations() map[string]operation {
	return map[string]operation{}
}
