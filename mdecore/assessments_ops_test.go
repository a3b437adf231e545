package mdecore_test

func assessmentOperations() map[string]operation {
	return map[string]operation{}
}
