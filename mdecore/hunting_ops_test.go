package mdecore_test

func huntingOperations() map[string]operation {
	return map[string]operation{}
}
