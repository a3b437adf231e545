package mdecore_test

func libraryOperations() map[string]operation {
	return map[string]operation{}
}
