package mdecore_test

func graphOperations() map[string]operation {
	return map[string]operation{}
}
