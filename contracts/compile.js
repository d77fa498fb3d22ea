export async function compileContracts() {}
