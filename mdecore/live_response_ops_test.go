package mdecore_test

func liveResponseOperations() map[string]operation {
	return map[string]operation{}
}
