package mdecore_test

func exposureOperations() map[string]operation {
	return map[string]operation{}
}
