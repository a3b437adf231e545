package mdecore_test

func entityOperations() map[string]operation {
	return map[string]operation{}
}
