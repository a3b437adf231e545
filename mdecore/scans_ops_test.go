package mdecore_test

func scanOperations() map[string]operation {
	return map[string]operation{}
}
