package mdecore_test

func indicatorOperations() map[string]operation {
	return map[string]operation{}
}
